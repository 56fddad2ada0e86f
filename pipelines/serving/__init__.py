"""The worker process, the pool that supervises it, and admission: who is painted next."""
