"""A traffic script as the course's students write it: JSON to a fixed path, any non-2xx a failure."""

import json
import random

from locust import HttpUser, between, task

VOTES = [
    {"name": "Alux Nahual", "album": "Centroamérica", "year": "1984", "rank": "9.5"},
    {"name": "Bohemia Suburbana", "album": "Sombras", "year": 1997, "rank": 8},
]


class Voter(HttpUser):
    wait_time = between(0.01, 0.05)

    @task
    def vote(self):
        path = "/insert" if self.host.endswith("/grpc") else "/send_data"
        body = json.dumps(random.choice(VOTES))
        self.client.post(path, data=body, headers={"Content-Type": "application/json"})

    @task
    def vote_at_the_root(self):
        self.client.post("/", json=random.choice(VOTES))
