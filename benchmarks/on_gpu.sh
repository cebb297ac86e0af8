#!/usr/bin/env bash
# What a GPU at hand for half an hour measures and trains, unattended:
#
#   benchmarks/on_gpu.sh OUT VOLUMES          # what `neuromf prepare` wrote at 2 mm, or a tar of it
#   benchmarks/on_gpu.sh OUT small [VOLUMES]  # the same in minutes on a CPU, at the smallest sizes
#
# The work comes in pieces, each well under ten minutes. A piece whose result is in OUT is skipped,
# one that was stopped goes on where it was: give the same command again until nothing is left. A
# piece that fails holds up only those that need it, and the script ends with 1. OUT/summary.txt
# says what became of each, OUT/logs/PIECE.log what it printed. OUT/keep holds all that is worth
# copying elsewhere, less than 60 MB:
#
#   numbers.tar.gz              results, logs, configurations and tables of the trainings
#   flow.tar.gz, model.tar.gz   the rectified flow and the model of one call, float16
#   samples.tar.gz              page and scores of the evaluation, a sheet of samples, four of them
#
# Environment: PIECES="step-float32 batches" runs these alone; LIMIT=540 stops after so many
# seconds; PYTHON names the interpreter, DEVICE the device (cuda; with `small` cpu).
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,5p' "$0"; exit 2; }
out=$1 small=""
shift
[ "$1" = small ] && { small=yes; shift; }
source=${1:-}

python=${PYTHON:-$here/../.venv/bin/python}
[ -x "$(command -v "$python")" ] || python=python3
export PYTHONPATH="$here/../src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
LIMIT=${LIMIT:-86400}
mkdir -p "$out"/{logs,results,done,keep}
: > "$out/summary.txt"
failures=0 child=""
trap '[ -n "$child" ] && kill -TERM "$child" 2> /dev/null; LIMIT=0' TERM INT

say() { printf '%-24s %s\n' "$1" "$2" | tee -a "$out/summary.txt"; }

# piece NAME SECONDS COMMAND...: run the command for at most so many seconds, unless it is done.
# AFTER names pieces that have to be done before.
piece() {
  local name=$1 seconds=$2 needed left rc began=$SECONDS
  shift 2
  [ -z "${PIECES:-}" ] || [[ " $PIECES " == *" $name "* ]] || return 0
  [ -e "$out/done/$name" ] && { say "$name" "done before"; return 0; }
  for needed in ${AFTER:-}; do
    [ -e "$out/done/$needed" ] || { say "$name" "waits for $needed"; return 0; }
  done
  left=$((LIMIT - SECONDS))
  [ $left -ge 10 ] || { say "$name" "no time left"; return 0; }
  [ $left -lt "$seconds" ] && seconds=$left

  timeout --kill-after=45 "$seconds" "$@" >> "$out/logs/$name.log" 2>&1 &
  child=$!
  wait "$child"; rc=$?
  # a signal to this script is passed on by the trap, and ends a wait early
  while kill -0 "$child" 2> /dev/null; do wait "$child"; rc=$?; done
  child=""
  ended "$name" "$rc" $((SECONDS - began)) "$seconds" "$@"
}

# ended NAME STATUS TOOK SECONDS COMMAND...: note what became of a piece.
ended() {
  local name=$1 rc=$2 took=$3 seconds=$4 last
  shift 4
  if [ "$rc" = 0 ] && finished "$@"; then
    touch "$out/done/$name"
    say "$name" "done in $took s"
  elif [ "$rc" = 0 ] || [ "$rc" = 124 ] || [ "$rc" = 143 ] || [ "$took" -ge "$seconds" ]; then
    say "$name" "stopped after $took s: the same command goes on"
  else
    failures=$((failures + 1))
    last=$(grep . "$out/logs/$name.log" | tail -n 1)
    say "$name" "FAILED ($rc) after $took s: $last"
  fi
}

# A training that a signal stopped ends with 0 too: what its folder says is what counts.
finished() {
  local word folder=""
  for word; do case $word in out=*) folder=${word#out=} ;; esac; done
  [ -z "$folder" ] || grep -q '"state": "finished"' "$folder/run.json"
}

# bench NAME SECONDS PROGRAM ARGUMENTS...: a benchmark of this folder.
bench() {
  local name=$1 seconds=$2 program=$3
  shift 3
  piece "$name" "$seconds" "$python" "$here/$program" "$@" --device "$device"
}

# verb NAME SECONDS VERB WORDS...: a command of neuromf.
verb() {
  local name=$1 seconds=$2
  shift 2
  piece "$name" "$seconds" "$python" -m neuromf.cli "$@" --resume
}

stages=(flow2mm secants2mm)
if [ -z "$small" ]; then
  device=${DEVICE:-cuda} workers=0 loaders=8
  step=brain192 rounds=10 only=() limits=(40 0) largest=()
  size=brain192 precisions=(float32 bfloat16) decoders=(maisi-random small) volumes=3
  copies=2000 n=100 words=() measured=()
  # The network of these presets has 5 M parameters and latents of 9600 voxels: at the presets'
  # batch of 4 a GPU would wait for the CPU to tell it what to do, so the batch is sixteen times
  # theirs; secants2mm learns from 8 pairs on each of its 8 trajectories. float32, as the presets
  # have it. The updates that fit into these minutes are found by a trial on this GPU, and the
  # schedule of the learning rate stretches with them.
  minutes=(7 4) batches=(64 8) trial=60
  # batches pass from the processes that read them through shared memory; containers may lack it
  shared=$(df -k --output=avail /dev/shm 2> /dev/null | tail -n 1)
  [ "${shared:-0}" -ge 1000000 ] || loaders=0
else
  device=${DEVICE:-cpu} workers=1 loaders=0
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
  step=tiny rounds=1 only=(--only "split, v_c, share 0.5")
  limits=(0) largest=(--only "flow matching" --most 2)
  size=tiny precisions=(float32) decoders=(small) volumes=1
  copies=4 n=4
  words=("network.channels=[8,16,32]" "network.attention_head_channels=[0,0,16]")
  words+=(samples.n=1 "samples.nfe=[1]" evaluation.n=4)
  measured=("extractors=[random-3d]" morphology=none reconstructions=0 pairs=2 workers=1)
  minutes=(0.01 0.01) batches=(2 1) trial=3
fi

# 1. A training step, by the ways to write it: rows are kept one by one.
for precision in "${precisions[@]}"; do
  bench "step-$precision" 240 step.py $step --precision "$precision" --rounds $rounds \
    "${only[@]}" --out "$out/results/step-$step-$precision.json"
done
[ -n "$small" ] || for precision in "${precisions[@]}"; do
  bench "compiled-$precision" 300 step.py $step --precision "$precision" --rounds $rounds \
    --compiled --out "$out/results/step-$step-$precision-compiled.json"
done

# 2. The largest batches.
bench batches 300 largest_batch.py $step --limits "${limits[@]}" \
  --precisions "${precisions[@]}" "${largest[@]}" --out "$out/results/largest-batch-$step.json"

# 3. The volumes, or a few phantoms in their place.
unpack='tar -xf "$0" -C "$1" && found=$(find "$1" -name manifest.csv | head -n 1) &&
  [ -n "$found" ] && from=$(dirname "$found") && { [ "$from" = "$1" ] || mv "$from"/* "$1"; }'
if [ -z "$source" ]; then
  verb volumes 120 phantom n=14 spacing=5 "shape=[32,48,32]" workers=$workers out="$out/volumes"
elif [ -f "$source" ]; then
  mkdir -p "$out/volumes"
  piece volumes 120 bash -c "$unpack" "$source" "$out/volumes" # whatever folder they lie in
else
  piece volumes 60 ln -sfn "$(cd "$source" && pwd)" "$out/volumes"
fi

# 4. Seconds a volume, by decoder, calls and precision. A fast decoder is trained for a moment only:
# time does not depend on the values of its weights.
if "$python" -m neuromf.cli train-decoder --help > /dev/null 2>&1; then
  AFTER=volumes verb fast-decoder 200 train-decoder vae=small volumes="$out/volumes" updates=2 \
    batch=1 patch=16 check_volumes=1 device="$device" out="$out/fast-decoder"
  decoders+=("$out/fast-decoder")
fi
for decoder in "${decoders[@]}"; do
  for precision in "${precisions[@]}"; do
    name=generate-${decoder##*/}-$precision
    bench "$name" 150 generate.py $size --volumes $volumes --precision "$precision" \
      --decoder "$decoder" --out "$out/results/$name.json"
  done
done

# 5. Copies of the training people, and their latents.
AFTER=volumes verb copies 400 phantom source="$out/volumes" n=$copies workers=$workers \
  out="$out/copies"
AFTER=copies verb encode 300 encode "volumes=[$out/volumes,$out/copies]" vae=small \
  device="$device" out="$out/latents"

# 6. The stages: a trial that finds how many updates fit, then all of them, in two pieces of time.
AFTER=encode bench sizes 240 stage_sizes.py "$out/latents" "$out/stages" \
  --stages "${stages[@]}" --minutes "${minutes[@]}" --batches "${batches[@]}" --trial $trial \
  --words num_workers=$loaders "${words[@]}"
files=$(printf ",$out/stages/%s.yaml" "${stages[@]}")
for _ in 1 2; do
  AFTER=sizes verb train 540 train-stages latents="$out/latents" "stages=[${files:1}]" \
    out="$out/trained"
done

# 7. What the model of one call draws, and how it compares with people who were held out.
AFTER=train verb samples 120 generate model="$out/trained/model" n=$n device="$device" \
  out="$out/samples"
AFTER=samples verb evaluate 400 evaluate samples="$out/samples" reference="$out/volumes" \
  "splits=[val,test]" train="$out/volumes:train" vae=small device="$device" \
  cache="$out/cache" "${measured[@]}" out="$out/evaluation"
for stage in flow2mm secants2mm; do
  AFTER=train verb "export-$stage" 90 export run="$out/trained/stages/$stage" \
    out="$out/export-$stage"
done

# What is worth keeping, and what became of it all: pack NAME PATTERN..., of what is there.
pack() {
  local name=$1
  shift
  # shellcheck disable=SC2086,SC2048
  (cd "$out" && ls -d $* 2> /dev/null | tar -czf "keep/$name.tar.gz" -T -)
}

for log in "$out"/logs/*.log; do
  [ -e "$log" ] || continue
  printf '\n--- %s\n' "${log##*/}"
  tail -n 30 "$log" | cut -c1-200
done >> "$out/summary.txt"
pack flow export-flow2mm
pack model export-secants2mm
pack samples evaluation/index.html "evaluation/scores.*" samples/contact.png \
  samples/timing.json "samples/sub-0000[0-3]"
pack numbers summary.txt results logs "stages/*.yaml" "trained/stages/*/*.csv" \
  "trained/stages/*/config.yaml" "trained/stages/*/evaluation.json" trained/run.json \
  latents/stats.json
du -ch "$out"/keep/* | sed "s|$out/||"
[ $failures = 0 ]
