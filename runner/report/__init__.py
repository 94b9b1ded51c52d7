"""The night on one page: facts read from the store, put into blocks, written as Markdown or HTML, or shown."""
