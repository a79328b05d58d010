#!/bin/sh
# Have a picture inspected by a station, with curl: FLAWSIGHT_TOKEN=... sh inspect.sh http://127.0.0.1:8000 PICTURE
# Exit code: 0 good, 1 defective, 2 an error, which is said on standard error.
set -u

fail() {
  echo "$1" >&2
  exit 2
}

[ $# -eq 2 ] || fail "usage: sh inspect.sh STATION PICTURE"
[ -f "$2" ] || fail "there is no picture '$2'"
# Not on the command line of curl, where every user of this machine could read it.
header=${FLAWSIGHT_TOKEN:+"header = \"Authorization: Bearer $FLAWSIGHT_TOKEN\""}
# curl waits as long as Retry-After says where the station has too much to do (429), and asks again.
answer=$(printf '%s\n' "$header" | curl --config - --silent --show-error --retry 10 --retry-max-time 120 --max-time 60 \
  --header "Content-Type: application/octet-stream" --data-binary "@$2" --write-out '\n%{http_code}' "$1/v1/inspect") ||
  fail "the station at $1 does not answer"
status=$(printf '%s' "$answer" | tail -n 1)
document=$(printf '%s' "$answer" | sed '$d')

if [ "$status" != 200 ]; then
  fail "$status: $(printf '%s' "$document" | sed -n 's/.*"detail": *"\(\([^"\\]\|\\.\)*\)".*/\1/p')"
fi
# Enough for these fields; with jq installed: jq -r '.verdict'.
verdict=$(printf '%s' "$document" | sed -n 's/.*"verdict": *"\([a-z]*\)".*/\1/p')
score=$(printf '%s' "$document" | sed -n 's/.*"score": *\([-+.0-9eE]*\).*/\1/p')
LC_ALL=C printf '%s %.3f\n' "$verdict" "$score"
printf '%s' "$document" | grep -o '"box": *\[[^]]*\]\|"area_px": *[-+.0-9eE]*' | sed 's/.*: *//; s/[][,]/ /g' | paste - - |
  LC_ALL=C awk '{ printf "region left=%d top=%d width=%d height=%d area=%.1f\n", $1, $2, $3, $4, $5 }'
case $verdict in
good) exit 0 ;;
defective) exit 1 ;;
*) fail "the station's answer is not understood" ;;
esac
