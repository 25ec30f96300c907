import { type DeployHost, sshdAnswers } from "./deploy-host.js";

/** Undoes a fault. */
export type Mend = () => Promise<void>;

const mendBy =
  (host: DeployHost, script: string): Mend =>
  async () =>
    void (await host.shell(script));

/** The host's date is so much ahead, for whoever asks for it: the clock itself is that of this machine. */
export async function shiftClock(host: DeployHost, seconds: number): Promise<Mend> {
  const fake = `#!/bin/sh\nfor each; do case "$each" in -d|--date*|-d*|-s|--set*) exec date.true "$@";; esac; done\nexec date.true -d "@$(( $(date.true +%s) + ${seconds} ))" "$@"\n`;
  await host.shell("mv /usr/bin/date /usr/bin/date.true && cat > /usr/bin/date && chmod 755 /usr/bin/date", {
    input: fake,
  });
  return mendBy(host, "mv /usr/bin/date.true /usr/bin/date");
}

/** A place of the host is a file system of its own, which has so much left. What was there is hidden. */
export async function smallDisk(host: DeployHost, path: string, leftMib: number): Promise<Mend> {
  await host.shell(
    `mkdir -p '${path}' && mount -t tmpfs -o size=${leftMib + 8}m tmpfs '${path}' && head -c 8M /dev/zero > '${path}/ballast'`,
  );
  return mendBy(host, `umount --lazy '${path}'`);
}

/** A package is not there, and apt, which reaches no server in the lab, cannot bring it. */
export async function withoutPackage(host: DeployHost, name: string): Promise<void> {
  await host.shell(`DEBIAN_FRONTEND=noninteractive dpkg --purge --force-depends ${name}`);
}

/** Another program listens there. */
export async function takePort(host: DeployHost, port: number): Promise<Mend> {
  const unit = `taken-${port}`;
  await host.shell(
    `systemd-run --quiet --unit=${unit} python3 -c 'import socket,time; s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", ${port})); s.listen(); time.sleep(100000)'
until python3 -c 'import socket; socket.create_connection(("127.0.0.1", ${port}))' 2>/dev/null; do sleep 0.1; done`,
  );
  return mendBy(host, `systemctl stop ${unit}`);
}

/** Nothing in /tmp can be run. */
export async function forbidProgramsInTmp(host: DeployHost): Promise<Mend> {
  await host.shell("mount -o remount,noexec /tmp");
  return mendBy(host, "mount -o remount,exec /tmp");
}

/** The user has no home directory. */
export async function removeHome(host: DeployHost): Promise<Mend> {
  await host.shell("mv /home/ops /home/ops.away");
  return mendBy(host, "rm -rf /home/ops; mv /home/ops.away /home/ops");
}

/** The user's shell talks before each command, on both outputs. */
export async function talkativeShell(host: DeployHost): Promise<Mend> {
  await host.shell(
    `cp /home/ops/.bashrc /home/ops/.bashrc.before
printf '%s\\n' 'echo "Welcome to $(hostname)"; echo "Maintenance on Sunday" >&2; printf "no end of line"' | cat - /home/ops/.bashrc.before > /home/ops/.bashrc`,
  );
  return mendBy(host, "mv /home/ops/.bashrc.before /home/ops/.bashrc");
}

/** Lines of sshd_config that count before all others. */
export async function configureSshd(host: DeployHost, ...lines: readonly string[]): Promise<Mend> {
  const file = "/etc/ssh/sshd_config.d/00-test.conf";
  const restart = `sshd -t && systemctl reset-failed ssh && systemctl restart ssh && ${sshdAnswers}`;
  await host.shell(`cat > ${file} && ${restart}`, { input: lines.map((line) => `${line}\n`).join("") });
  return mendBy(host, `rm ${file} && ${restart}`);
}
