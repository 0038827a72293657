#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Renders one frame: item PENSTOCK_ARRAY_INDEX of the array. WIDTH, HEIGHT and FRAMES are optional.
set -eu
frame=${PENSTOCK_ARRAY_INDEX:?is set by Penstock for array tasks; set it by hand to try one frame}
name=$(printf 'out/frame-%02d.png' "$frame")
mkdir -p out
# Outside of out first: a frame that was cut off must not look like a finished one.
povray +Iturbine.pov +Oframe.part.png "+W${WIDTH:-320}" "+H${HEIGHT:-180}" +A0.2 +AM2 +R3 -D -V \
    "+WT${OMP_NUM_THREADS:-1}" "Declare=Frame=$frame" "Declare=Frames=${FRAMES:-12}" 2>povray.log || {
    status=$?
    tail -n 20 povray.log >&2
    exit $status
}
mv frame.part.png "$name"
echo "frame $frame: $name"
