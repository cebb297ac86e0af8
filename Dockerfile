# NeuroMF on the CPU:          docker build -t neuromf .
# on NVIDIA's GPUs:            docker build -t neuromf --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
# docker run --rm -v "$PWD:/work" neuromf generate model=embedded n=4 out=samples
ARG PYTHON=3.11
FROM python:${PYTHON}-slim-bookworm

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH=2.13.0

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
# torch from its own index, which has builds for the CPU alone
RUN python -m pip install --no-cache-dir --index-url "${TORCH_INDEX}" "torch==${TORCH}" \
    && python -m pip install --no-cache-dir -c constraints.txt '.[slurm,hub,log]' \
    && rm -rf /src \
    && useradd --create-home --uid 1000 neuromf \
    && install -d -o neuromf -g neuromf /work /cache

# downloaded weights, and measurements that were made before: a volume keeps them, -v neuromf:/cache
ENV NEUROMF_HOME=/cache \
    MPLCONFIGDIR=/tmp/matplotlib
VOLUME /cache
USER 1000
WORKDIR /work
ENTRYPOINT ["neuromf"]
CMD ["--help"]
