"""The management of workflows over HTTP, in the words of Celery Director and of Durable Functions."""

from bot.api.management import Management

__all__ = ["Management"]
