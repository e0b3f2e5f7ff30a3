#!/usr/bin/env bash
# tests/system/film.sh - films of a guest: what ffprobe says of them, and how they end.
. "$(dirname "$0")/lib.sh"

command -v ffprobe >/dev/null || skip 'no ffprobe'
start_vm a --memory 128M
wait_console 'shell ready'
small=(--size 161x90 --fps 10)

probe() { # FILE MEMBER of its stream
    ffprobe -v error -count_frames -select_streams v:0 -show_entries "stream=$2" -of csv=p=0 "$1"
}

# ---- turned around: of one moment ----------------------------------------------------------------

vitrine film "$vm" "$scratch/turn.mp4" "${small[@]}" --turn 1s --json >"$scratch/turn.json"
expect_eq 'frames' '10 10 1' "$(json '"{frames} {drawn} {seconds}".format(**d)' <"$scratch/turn.json")"
expect_eq 'in the file' h264,160,90,yuv420p,10/1,10 \
    "$(probe "$scratch/turn.mp4" codec_name,width,height,pix_fmt,r_frame_rate,nb_read_frames)"
vitrine film "$vm" "$scratch/frames/" "${small[@]}" --turn 400ms --pause
expect_eq 'numbered' 'frame-000001.png frame-000002.png frame-000003.png frame-000004.png' \
    "$(cd "$scratch/frames" && echo *)"
cmp -s "$scratch/frames/frame-000001.png" "$scratch/frames/frame-000002.png" && fail 'nothing turned'
expect_eq 'the VM runs again' running "$(vm_state)"

# ---- recorded while it changes -------------------------------------------------------------------

guest_exec '(while :; do dd if=/dev/urandom of=/tmp/noise bs=64k count=16; done) >/dev/null 2>&1 &'
seconds=1
moves() { # longer each time: a slow machine draws few pictures a second
    seconds=$((seconds * 2))
    rm -f "$scratch/live.mp4"
    vitrine film "$vm" "$scratch/live.mp4" "${small[@]}" --for ${seconds}s --json >"$scratch/live.json"
    ffmpeg -v error -i "$scratch/live.mp4" -f framemd5 - | awk '!/^#/ { print $NF }' | sort -u | wc -l >"$scratch/different"
    [ "$(json 'd["drawn"] >= 2' <"$scratch/live.json")" = true ] && [ "$(cat "$scratch/different")" -ge 2 ]
}
wait_until 'something moves in a film' moves
expect_eq 'as long as was asked for' "$((seconds * 10)) $seconds False" \
    "$(json '"{frames} {seconds} {ended}".format(**d)' <"$scratch/live.json")"
expect_eq 'in the file' $((seconds * 10)) "$(probe "$scratch/live.mp4" nb_read_frames)"

# ---- ends ----------------------------------------------------------------------------------------

# A signal, and then the VM's end: what there is of the film is complete.
record() { # NAME: in the background, until it draws
    VITRINE_AUDIT=off "$VITRINE" film "$vm" "$scratch/$1.mp4" "${small[@]}" --for 10m --json \
        >"$scratch/$1.json" 2>"$scratch/$1.err" &
    recording=$!
    wait_until "$1 is recorded" grep -q ' %' "$scratch/$1.err"
}
record interrupted
kill -TERM $recording
wait $recording || fail "after a signal: $(cat "$scratch/interrupted.err")"
expect_eq 'all frames are in the file' "$(json 'd["frames"]' <"$scratch/interrupted.json")" \
    "$(probe "$scratch/interrupted.mp4" nb_read_frames)"
record ended
vitrine kill "$vm"
wait $recording || fail "after the VM's end: $(cat "$scratch/ended.err")"
expect_eq 'it is said' true "$(json 'd["ended"]' <"$scratch/ended.json")"
expect_eq 'all frames are in the file' "$(json 'd["frames"]' <"$scratch/ended.json")" \
    "$(probe "$scratch/ended.mp4" nb_read_frames)"

# ---- bad input: a line that names the thing, nothing written -------------------------------------

expect_error 2 'film.avi' vitrine film "$vm" "$scratch/film.avi"
expect_error 2 '--fps' vitrine film "$vm" "$scratch/bad.mp4" --fps 0
expect_error 2 'frames' vitrine film "$vm" "$scratch/bad.mp4" --for 100h --fps 120
expect_error 2 'sideways' vitrine film "$vm" "$scratch/bad.mp4" --view sideways
expect_error 3 "$vm" vitrine film "$vm" "$scratch/bad.mp4"
expect_error 1 'libavcodec' env VITRINE_LIB_DIR="$scratch" "$VITRINE" film "$vm" "$scratch/bad.mp4"
[ -z "$(find "$scratch" -name '*bad*')" ] || fail 'a film was written in spite of an error'
