#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A task of a Slurm array is a shard. All four of four: sbatch --array=1-4 slurm.sh 4
# One of them again: sbatch --array=2 slurm.sh 4
#SBATCH --job-name=mailglean
#SBATCH --output=mailglean-%A_%a.log
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=128M
#SBATCH --time=12:00:00
#SBATCH --requeue
set -u
: "${1:?the number of shards, as in: sbatch --array=1-4 slurm.sh 4}"
tries=6

mailglean --quiet sync --shard "auto/$1"
code=$?
case $code in
# Slurm begins it again after two minutes, here or on another node that is free.
69 | 74 | 75 | 137)
	if [ "${SLURM_RESTART_COUNT:-0}" -lt $((tries - 1)) ]; then
		echo "exit code $code: once more"
		scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
	fi
	;;
esac
exit $code
