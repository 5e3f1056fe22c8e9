"""A sheet as people hold it: Markdown, a page, a PDF, a calendar entry, a picture of the session."""
