"""What the engine is to do, said once more: without a database, without threads, and in whole hours."""
