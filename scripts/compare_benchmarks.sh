#!/usr/bin/env bash
# Compares the library's benchmarks of two commits with benchstat.
#
#   scripts/compare_benchmarks.sh [BASE [HEAD]]
#
# BASE is by default the commit before HEAD, HEAD the last commit; what is not
# committed is not measured. Both are measured with the benchmarks of HEAD, in
# turns, so that what disturbs the machine disturbs both. From the environment:
#
#   COUNT      turns of each commit (default 8)
#   BENCH      which benchmarks (default all)
#   BENCHTIME  how long each is run in a turn (default 0.5s)
#   SIZE       jobs in the stores (default 100000)
set -euo pipefail
cd "$(dirname "$0")/.."

head=$(git rev-parse --verify "${2:-HEAD}^{commit}")
base=$(git rev-parse --verify "${1:-$head~1}^{commit}")
count=${COUNT:-8}
benchstat_version=v0.0.0-20260908200009-22c9c6c9d4da

work=$(mktemp -d)
cleanup() {
	git worktree remove --force "$work/base" 2>/dev/null || true
	git worktree remove --force "$work/head" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

git worktree add --quiet --detach "$work/base" "$base"
git worktree add --quiet --detach "$work/head" "$head"
# The same benchmarks for both, and only the library differs.
rm -rf "$work/base/bench"
cp -r "$work/head/bench" "$work/base/bench"

for side in base head; do
	(cd "$work/$side/bench" && go test -c -o "$work/$side.test" .)
done
for ((turn = 1; turn <= count; turn++)); do
	for side in base head; do
		echo "turn $turn of $count: $side" >&2
		(cd "$work/$side/bench" && "$work/$side.test" -test.run '^$' -test.bench "${BENCH:-.}" \
			-test.benchtime "${BENCHTIME:-0.5s}" -test.timeout 30m -size "${SIZE:-100000}") >>"$work/$side.txt"
	done
done

echo "base $(git log -1 --format='%h %s' "$base")"
echo "head $(git log -1 --format='%h %s' "$head")"
GOBIN=$work go install "golang.org/x/perf/cmd/benchstat@$benchstat_version"
"$work/benchstat" "base=$work/base.txt" "head=$work/head.txt"
