"""The cases with a client that is made of the description as it is read: an operation is a method."""
import hashlib, json, os, urllib.error, urllib.parse, urllib.request

BASE, TOKEN = os.environ["BASE"], os.environ["TOKEN"]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers = status, headers
        self.data = json.loads(body) if body else None


class Client:
    def __init__(self):
        document = json.load(urllib.request.urlopen(BASE + "/openapi.json"))
        self.operations = {
            operation["operationId"]: (method.upper(), path, document["paths"][path].get("parameters", []) + operation.get("parameters", []))
            for path, item in document["paths"].items()
            for method, operation in item.items() if method != "parameters"
        }
        self.parameters = document["components"]["parameters"]

    def call(self, operation, body=None, token=TOKEN, **given):
        method, path, parameters = self.operations[operation]
        headers, query = {"Authorization": "Bearer " + token}, []
        for parameter in parameters:
            if "$ref" in parameter:
                parameter = self.parameters[parameter["$ref"].rsplit("/", 1)[1]]
            value = given.pop(parameter["name"].replace("-", "_"), None)
            if value is None:
                continue
            if parameter["in"] == "path":
                path = path.replace("{%s}" % parameter["name"], urllib.parse.quote(value, safe=""))
            elif parameter["in"] == "header":
                headers[parameter["name"]] = value
            else:
                query.append((parameter["name"], value))
        assert not given, given
        url = BASE + path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
        if body is not None:
            headers["Content-Type"], body = "application/json", json.dumps(body).encode()
        try:
            response = urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method))
        except urllib.error.HTTPError as error:
            response = error
        with response:
            return Answer(response.status, response.headers, response.read())


def say(name, *rest):
    text = lambda x: x if isinstance(x, str) else json.dumps(x, ensure_ascii=False, separators=(",", ":"))
    print(name, *map(text, rest))


client = Client()
source = "https://example.com/a.mp4?é"
job = {"kind": "video", "input": source, "options": {"a": [1, None, "é"]}}
made = client.call("createJob", job, Idempotency_Key="one")
say("create", made.status, made.data["status"], made.data["kind"], made.data["options"], made.data["tasks"])
id = made.data["id"]
again = client.call("createJob", job, Idempotency_Key="one")
say("again", again.status, "same" if again.data["id"] == id else "another")
conflict = client.call("createJob", {"kind": "image", "input": source}, Idempotency_Key="one")
say("conflict", conflict.status, conflict.data["kind"])
scheme = client.call("createJob", {"kind": "video", "input": "ftp://a/b"})
say("unknown scheme", scheme.status, scheme.data["kind"])
got = client.call("getJob", id=id)
say("get", got.status, "same" if got.data == made.data else "another")
say("not modified", client.call("getJob", id=id, If_None_Match=got.headers["ETag"]).status)
processing = client.call("updateJob", {"status": "processing", "tasks": [{"object": "task"}]}, id=id)
say("processing", processing.status, processing.data["status"], len(processing.data["tasks"]))
failed = client.call("updateJob", {"status": "failed", "error": {"code": 7}}, id=id)
say("failed", failed.status, failed.data["status"], failed.data["error"])
any = client.call("updateJob", {"error": "text"}, id=id)
say("any error", any.status, json.dumps(any.data["error"]))
none = client.call("updateJob", {"error": None, "tasks": None}, id=id)
say("no error", none.status, none.data["error"], len(none.data["tasks"]))
second = client.call("createJob", {"kind": "audio", "input": "s3://a/b"})
say("second", second.status, second.data["kind"])
first = client.call("listJobs", limit=1)
say("list", first.status, len(first.data), first.headers["Has-More"])
next = client.call("listJobs", limit=1, after=first.data[0]["id"])
say("next", next.status, len(next.data), next.headers["Has-More"])
kinds = client.call("listJobs", kind=["video", "audio"])
say("two kinds", kinds.status, len(kinds.data))
same = client.call("listJobs", input=source)
say("by input", same.status, len(same.data))
sum = client.call("listJobs", input_sha256=hashlib.sha256(source.encode()).hexdigest())
say("by sum", sum.status, len(sum.data))
empty = client.call("listJobs", status=["cancelled"])
say("none", empty.status, len(empty.data))
limit = client.call("listJobs", limit=101)
say("bad limit", limit.status, limit.data["kind"])
missing = client.call("getJob", id="job_missing")
say("missing", missing.status, missing.data["kind"])
stranger = client.call("listJobs", token="wrong")
say("bad token", stranger.status, stranger.data["kind"])
say("delete", client.call("deleteJob", id=id).status)
gone = client.call("getJob", id=id)
say("deleted", gone.status, gone.data["kind"])
