import { readFile, readdir } from "node:fs/promises";

/** Of a Linux kernel as it is configured everywhere: jiffies per second. */
const TICKS_PER_SECOND = 100;

/** What processes took until now: seconds of processor time, and the most memory that each had at once, in MB. */
export type Usage = { cpuSeconds: number; peakMb: number };

/** What the children of this process and theirs took; those that have ended are not counted. */
export async function usageOfChildren(): Promise<Usage> {
  const total: Usage = { cpuSeconds: 0, peakMb: 0 };
  for (const pid of await descendants(process.pid)) {
    const { cpuSeconds, peakMb } = await usageOf(pid);
    total.cpuSeconds += cpuSeconds;
    total.peakMb += peakMb;
  }
  return total;
}

async function usageOf(pid: number): Promise<Usage> {
  const [, , user = 0, system = 0] = await readStat(pid);
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const peakKib = Number(/^VmHWM:\s+(\d+)/mu.exec(status)?.[1]);
  return { cpuSeconds: (user + system) / TICKS_PER_SECOND, peakMb: (peakKib * 1_024) / 1_000_000 };
}

async function descendants(root: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    // It may have ended meanwhile.
    const [, parent = 0] = await readStat(pid).catch(() => []);
    parents.set(pid, parent);
  }
  const found = [root];
  for (const pid of found)
    found.push(...[...parents].flatMap(([child, parent]) => (parent === pid ? child : [])));
  return found.slice(1);
}

/** From /proc/PID/stat: process, parent, user and system time in jiffies. The name before them may hold anything. */
async function readStat(pid: number): Promise<number[]> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return [pid, ...[1, 11, 12].map((at) => Number(fields[at]))];
}
