# Walks all pages by the Link header, with requests where it is installed.
import json, os, sys, urllib.request

try:
    import requests
except ImportError:
    requests = None

headers = {"Authorization": "Bearer " + os.environ["ITTYBIT_API_KEY"]}
url, ids = sys.argv[1], []
while url:
    if requests:
        res = requests.get(url, headers=headers)
        res.raise_for_status()
        data, url = res.json(), res.links.get("next", {}).get("url")
    else:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as res:
            data, links = json.load(res), res.headers.get("Link", "")
        url = next((l[1:].split(">")[0] for l in links.split(", ") if 'rel="next"' in l), None)
    ids += [job["id"] for job in data]
print(json.dumps(ids))
