"""Sends votes to dualpath: `locust --headless --users 16 --run-time 1m --host http://127.0.0.1:8000`.

The default user class is MixedUser. README.md lists the classes and options.
"""

from dualpath_locust.run import install
from dualpath_locust.users import GrpcUser, MixedUser, RestUser, SplitUser

__all__ = ["GrpcUser", "MixedUser", "RestUser", "SplitUser"]

install()
