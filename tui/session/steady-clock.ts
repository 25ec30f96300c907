/**
 * A clock in milliseconds since 1970 that goes on evenly from what the system's clock says now: when that is set back or
 * forward, nothing on the screen stays for an hour or becomes an hour old. The hub's own clock is measured against it.
 */
export function steadyClock(): () => number {
  const originMs = Date.now() - performance.now();
  return () => originMs + performance.now();
}
