"""The dashboard: pages rendered on the server, kept live by server-sent events, and forms that do something."""
