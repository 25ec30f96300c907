/** Where the host's tools are, also when whoever started the program has a shorter list, as `su` and cron do. */
const standardPath = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** What tools may know of the program's own environment. ZOR_ is ours. */
const handedOn: ReadonlySet<string> = new Set(["HOME", "TMPDIR", "TZ", "USER", "LOGNAME", "XDG_RUNTIME_DIR"]);

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment of the host's tools and of the daemons that are started on it: nothing but what is named here, so that no TAR_OPTIONS,
 * OVS_RUNDIR, NOTIFY_SOCKET or locale of whoever started the program changes what they do. `more` wins, except that LC_ALL is always C.
 */
export function toolEnvironment(own: Environment, more: Environment = {}): Record<string, string> {
  const kept = Object.entries(own).filter(([name]) => handedOn.has(name) || name.startsWith("ZOR_"));
  const given = [...kept, ...Object.entries(more)].flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return { PATH: pathWithStandard(own["PATH"]), ...Object.fromEntries(given), LC_ALL: "C" };
}

function pathWithStandard(path: string | undefined): string {
  const given = (path ?? "").split(":").filter((folder) => folder.startsWith("/"));
  return [...new Set([...given, ...standardPath])].join(":");
}
