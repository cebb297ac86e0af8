#!/bin/sh
# Debian's SLURM and munge for `make test-slurm`; says why where it cannot install them.
if command -v slurmctld slurmd munged sbatch > /dev/null; then exit 0; fi
if ! command -v apt-get > /dev/null; then echo "no apt-get: slurm-wlm and munge are not installed"; exit 0; fi
if [ "$(id -u)" != 0 ]; then echo "not root: apt-get install slurm-wlm munge is left to you"; exit 0; fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge
