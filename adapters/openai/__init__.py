"""Any server that speaks the wire protocol of OpenAI's chat completions: OpenAI, Ollama, vLLM, LM Studio, LocalAI."""
