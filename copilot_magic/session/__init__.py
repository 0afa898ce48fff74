"""Sessions: prompts asked, asked again and continued, and the conversations that keep them.

Ties `chat`, `wire`, `client` and `store` together; knows neither `views` nor `notebook`.
"""
