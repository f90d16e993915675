// The cases with the client that openapi-typescript and openapi-fetch make of the description.
import createClient from "openapi-fetch";
import { createHash } from "node:crypto";
import type { paths } from "./api";

const headers = { Authorization: `Bearer ${process.env.TOKEN}` };
const client = createClient<paths>({ baseUrl: process.env.BASE, headers });
const say = (name: string, ...rest: unknown[]) =>
  console.log([name, ...rest.map((x) => (typeof x === "object" ? JSON.stringify(x) : String(x)))].join(" "));

const input = "https://example.com/a.mp4?é";
const body = { kind: "video", input, options: { a: [1, null, "é"] } } as const;
const key = { header: { "Idempotency-Key": "one" } };

const made = await client.POST("/jobs", { body, params: key });
const id = made.data!.id;
say("create", made.response.status, made.data!.status, made.data!.kind, made.data!.options, made.data!.tasks);
const again = await client.POST("/jobs", { body, params: key });
say("again", again.response.status, again.data!.id === id ? "same" : "another");
const conflict = await client.POST("/jobs", { body: { kind: "image", input }, params: key });
say("conflict", conflict.response.status, conflict.error!.kind);
const scheme = await client.POST("/jobs", { body: { kind: "video", input: "ftp://a/b" } });
say("unknown scheme", scheme.response.status, scheme.error!.kind);
const one = { params: { path: { id } } };
const got = await client.GET("/jobs/{id}", one);
say("get", got.response.status, JSON.stringify(got.data) === JSON.stringify(made.data) ? "same" : "another");
const tag = got.response.headers.get("etag")!;
const unchanged = await client.GET("/jobs/{id}", { params: { path: { id }, header: { "If-None-Match": tag } } });
say("not modified", unchanged.response.status);
const report = async (body: paths["/jobs/{id}"]["patch"]["requestBody"]["content"]["application/json"]) =>
  client.PATCH("/jobs/{id}", { ...one, body });
const processing = await report({ status: "processing", tasks: [{ object: "task" }] });
say("processing", processing.response.status, processing.data!.status, processing.data!.tasks.length);
const failed = await report({ status: "failed", error: { code: 7 } });
say("failed", failed.response.status, failed.data!.status, failed.data!.error);
const any = await report({ error: "text" });
say("any error", any.response.status, JSON.stringify(any.data!.error));
const none = await report({ error: null, tasks: null });
say("no error", none.response.status, none.data!.error, none.data!.tasks.length);
const second = await client.POST("/jobs", { body: { kind: "audio", input: "s3://a/b" } });
say("second", second.response.status, second.data!.kind);
const list = async (query: paths["/jobs"]["get"]["parameters"]["query"]) => client.GET("/jobs", { params: { query } });
const first = await list({ limit: 1 });
say("list", first.response.status, first.data!.length, first.response.headers.get("has-more"));
const next = await list({ limit: 1, after: first.data![0].id });
say("next", next.response.status, next.data!.length, next.response.headers.get("has-more"));
const kinds = await list({ kind: ["video", "audio"] });
say("two kinds", kinds.response.status, kinds.data!.length);
const same = await list({ input });
say("by input", same.response.status, same.data!.length);
const sum = await list({ input_sha256: createHash("sha256").update(input).digest("hex") });
say("by sum", sum.response.status, sum.data!.length);
const empty = await list({ status: ["cancelled"] });
say("none", empty.response.status, empty.data!.length);
const limit = await list({ limit: 101 });
say("bad limit", limit.response.status, limit.error!.kind);
const missing = await client.GET("/jobs/{id}", { params: { path: { id: "job_missing" } } });
say("missing", missing.response.status, missing.error!.kind);
const stranger = await client.GET("/jobs", { headers: { Authorization: "Bearer wrong" } });
say("bad token", stranger.response.status, stranger.error!.kind);
const deleted = await client.DELETE("/jobs/{id}", one);
say("delete", deleted.response.status);
const gone = await client.GET("/jobs/{id}", one);
say("deleted", gone.response.status, gone.error!.kind);
