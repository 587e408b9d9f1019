#!/usr/bin/env bash
# Bring every jar that the JVMs run with into .jars/, each verified against jars.sha256.
#   fetch.sh            does nothing, quickly, when they are there already
#   fetch.sh --record   after a version was changed in a pom: rewrites jars.sha256; review the diff
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jars=$(cd "$here/../.." && pwd)/.jars
own=spark/tidemark-log-store.jar # ours: built, not fetched, so not in the list

die() {
  printf 'fetch.sh: %s\n' "$@" >&2
  exit 1
}

require_tools() {
  local tool
  for tool in java javac mvn; do
    command -v "$tool" >/dev/null || die "$tool is missing." "Fix: apt-get install openjdk-17-jdk-headless maven"
  done
}

# One hash of all that decides what .jars holds.
inputs() {
  (cd "$here" && find . -name target -prune -o \
    \( -name pom.xml -o -name '*.java' -o -name jars.sha256 \) -type f -print0 |
    sort -z | xargs -0 sha256sum | sha256sum)
}

is_complete() {
  local jar
  [[ -f $jars/.complete && $(<"$jars/.complete") == "$(inputs)" && -f $jars/$own ]] || return 1
  while read -r _ jar; do
    [[ -f $jars/$jar ]] || return 1
  done <"$here/jars.sha256"
}

third_party() {
  (cd "$1" && find kafka postgres registry spark -name '*.jar' ! -path "$own" | sort)
}

record() {
  (cd "$1" && third_party . | xargs sha256sum) >"$here/jars.sha256"
}

# A jar that differs, is missing, or is not in the list at all.
wrong_jars() {
  (cd "$1" && sha256sum --check --quiet --strict "$here/jars.sha256" 2>/dev/null | sed 's/: FAILED.*//') || true
  comm -23 <(third_party "$1") <(sed 's/^[^ ]*  //' "$here/jars.sha256" | sort)
}

verify() {
  local wrong
  wrong=$(wrong_jars "$1")
  [[ -z $wrong ]] || die "not what jars.sha256 lists:" $wrong \
    "Fix: if a pom was changed on purpose, run streaming/jvm/fetch.sh --record and review the diff of jars.sha256;" \
    "if not, delete the named jars from Maven's local repository (~/.m2/repository) and run this again."
}

build() {
  echo "Fetching the JVM's jars with Maven, once (about 260 MB) ..." >&2
  # sed: Debian's mvn resets the colour of a terminal even where there is none.
  mvn -q -B -C -Dstyle.color=never -f "$here/pom.xml" "-Djars.dir=$1" package 2>&1 |
    sed $'s/\e\\[0m//g' >&2 ||
    die "Maven could not fetch or build the jars: its own message is above." \
      "Fix: check the network (or the mirror in ~/.m2/settings.xml) and run streaming/jvm/fetch.sh again."
}

# The folders change only when all is verified, so that a JVM never starts on half of them.
install_from() {
  rm -rf "$jars/.complete" "$jars/spark" "$jars/kafka" "$jars/registry" "$jars/postgres"
  mv "$1/spark" "$1/kafka" "$1/registry" "$1/postgres" "$jars/"
  inputs >"$jars/.complete"
}

mode=${1:-fetch}
[[ $mode == fetch || $mode == --record ]] || die "unknown option $mode; there is only --record."
nothing_to_do() {
  [[ $mode == fetch ]] && is_complete
}

if nothing_to_do; then exit 0; fi
require_tools
mkdir -p "$jars"
exec 9>"$jars/.lock"
flock 9
if nothing_to_do; then exit 0; fi # another fetch, which held the lock, has just done it

stage=$(mktemp -d "$jars/.stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT
build "$stage"
if [[ $mode == --record ]]; then record "$stage"; fi
verify "$stage"
install_from "$stage"
