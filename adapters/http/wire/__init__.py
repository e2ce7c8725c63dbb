"""What travels: one module per tag, msgspec Structs and the conversions between them and the domain."""
