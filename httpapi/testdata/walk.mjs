// Walks all pages by the Link header.
const headers = { Authorization: `Bearer ${process.env.ITTYBIT_API_KEY}` };
const ids = [];
for (let url = process.argv[2]; url; ) {
  const res = await fetch(url, { headers });
  if (!res.ok) throw new Error(await res.text());
  ids.push(...(await res.json()).map((job) => job.id));
  url = res.headers.get('link')?.match(/<([^>]*)>; rel="next"/)?.[1];
}
console.log(JSON.stringify(ids));
