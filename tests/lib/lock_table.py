"""A fake DynamoDB with the calls for git-lfs locks."""

import json
import threading

from .http_fake import HttpFake


class LockTable(HttpFake):
    """A table, as a context manager. Each item contains the locks of a part of a repository as attributes."""

    def __init__(self):
        super().__init__()
        self.items, self._lock = {}, threading.Lock()

    def respond(self, _method, _path, headers, body):
        operation = headers["x-amz-target"].partition(".")[2]
        with self._lock:
            status, answer = {"BatchGetItem": self._get, "UpdateItem": self._update}[operation](json.loads(body))
        return status, {"content-type": "application/x-amz-json-1.0"}, json.dumps(answer).encode()

    def _get(self, call):
        [(name, wanted)] = call["RequestItems"].items()
        ids = [key["id"]["S"] for key in wanted["Keys"]]
        found = [{"id": {"S": item}} | self.items[item] for item in ids if item in self.items]
        return 200, {"Responses": {name: found}, "UnprocessedKeys": {}}

    def _update(self, call):
        item = self.items.setdefault(call["Key"]["id"]["S"], {})
        attribute, values = call["ExpressionAttributeNames"]["#lock"], call["ExpressionAttributeValues"]
        if call["UpdateExpression"] == "SET #lock = :lock":
            is_allowed = attribute not in item
        else:
            is_allowed = attribute in item and item[attribute]["M"]["id"] == values[":id"]
        if not is_allowed:
            return 400, {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no"}
        if ":lock" in values:
            item[attribute] = values[":lock"]
        else:
            del item[attribute]
        return 200, {}
