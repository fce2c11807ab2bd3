"""Every word people read in Slack: pure functions from facts to messages, everything from outside escaped."""
