"""The protocol: conversations and rounds as pure state machines; `now` is an argument."""
