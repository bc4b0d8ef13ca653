#!/bin/sh
# What benchmarks/accuracy.md and accuracy-heat-capacity.md were made by. DATA holds phonondb103/
# and alexandria-binary/. It may be ended and started again: it goes on where it stopped.
set -eu
DATA=${1:?give the folder of data}
OUT=${2:-results}
run="mlphonon benchmark run --data $DATA"

$run phonondb-103 embedded -o "$OUT/frequencies"
for potential in chgnet m3gnet-mp sevennet-0 nequix-oam-1-pft nequix-mp-1-pft nequix-mp-1 sevennet-l3i5
do
    $run phonondb-103 "$potential" -o "$OUT/frequencies" --dtype float32 --limit "${LIMIT:-60}"
done
mlphonon benchmark compare "$OUT"/frequencies/* -o benchmarks/accuracy.md

$run alexandria-binary embedded -o "$OUT/heat-capacity" --limit 60
for potential in chgnet m3gnet-mp sevennet-0 nequix-oam-1-pft
do
    $run alexandria-binary "$potential" -o "$OUT/heat-capacity" --dtype float32 --limit "${LIMIT:-60}"
done
mlphonon benchmark compare "$OUT"/heat-capacity/* -o benchmarks/accuracy-heat-capacity.md
