"""Ten bugs of the kind this project exists to prevent, and the proof that a test notices each."""
