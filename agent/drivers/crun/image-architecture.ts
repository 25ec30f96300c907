/** What Node calls an architecture, and what container images call it. */
const architectures: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  riscv64: "riscv64",
  s390x: "s390x",
  ppc64: "ppc64le",
};

/** What container images call an architecture of Node's. */
export function toImageArchitecture(architecture: string): string {
  return architectures[architecture] ?? architecture;
}
