"""The studio: the web pages of contributors, annotators, reviewers and operators, and the API that takes come in by.

How the studio is built: `web_app.py` puts it together out of pages. A page (`page.py`) is what one module declares:
its routes, who may use them, and its entry in the navigation. `page_registry.py` lists those built in and finds those
of installed packages, so a new page is one file.

`access/auth.py` finds out who asks and which roles a route requires. `http/` reads requests with limits, renders
pages and explains failures. `uploads/limited_process.py` runs whatever looks at strangers' videos in a process with
limits. The other folders are pages, by what people do on them. What a page decides lies in lower rooms: accounts in
`storage/catalog/people`, labels in `annotate/labels`, reviews in `annotate/gate`.

Templates and scripts lie in `templates/` and `static/js/`, in folders for the same people; every page uses `shared/`,
and `player/` is the one player that all of them have.
"""
