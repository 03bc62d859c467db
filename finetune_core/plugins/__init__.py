"""What a tuned model plugs into: LlamaIndex, code snippets that need no Ayar, and the model card."""
