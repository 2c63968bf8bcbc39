"""What the server tells its operator of itself: metrics, whether it is ready, and a log line for each request.

`request_record.py` gives each request an id, counts it and logs it. `server_metrics.py` holds what is counted while the
server runs; `workspace_metrics.py` what is looked up in the workspace when somebody asks. `timed_look.py` keeps a
catalog or a store that does not answer from taking the server's threads.
"""
