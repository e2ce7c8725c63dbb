"""One controller per tag: it reads a request, calls one use-case and answers with a wire Struct."""
