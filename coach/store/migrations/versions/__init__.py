"""One file a step. A step that was released is never changed; tests/test_store.py holds them to coach.store.tables."""
