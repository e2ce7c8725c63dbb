"""Messages for the examples of the shipped pipeline adapters: what each would be given in a pipeline."""

from domain.json import JsonObject

A_FILE: JsonObject = {
    "document_id": "handbook",
    "origin": "example.org",
    "name": "handbook.md",
    "path": "/srv/documents/handbook.md",
}
AN_OBJECT: JsonObject = {"object_key": "uploads/handbook/handbook.md"}
INDEXED_SEGMENTS: JsonObject = {
    "model_name": "all-MiniLM-L6-v2",
    "document_id": "handbook",
    "segment_ids": ["01890a5d-ac96-774b-bcce-b302099a8057"],
}
