"""A fake DynamoDB with the calls for git-lfs locks."""

import http.server
import json
import threading


class LockTable:
    """A table, as a context manager. Each item contains the locks of a part of a repository as attributes."""

    def __init__(self):
        self.items, self._lock = {}, threading.Lock()
        table = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                call = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, answer = table.respond(self.headers["x-amz-target"].partition(".")[2], call)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.0")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def respond(self, operation, call):
        with self._lock:
            return {"BatchGetItem": self._get, "UpdateItem": self._update}[operation](call)

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
