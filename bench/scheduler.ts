import type { Table } from "./report.ts";
import { measureDecision } from "./scheduler/decision.ts";
import { benchLimits, rounded, type LimitFigures } from "./scheduler/limits.ts";
import { benchReal } from "./scheduler/real.ts";
import { benchScenarios } from "./scheduler/scenarios.ts";

type Figures = LimitFigures & {
  /** The cost of one decision with 100,000 waiting, against that with 10. */
  decision_us_100k_over_10: number;
};

type Result = { figures: Figures; tables: Record<string, Table> };

const WAITING = [10, 1_000, 100_000] as const;

/** Fairness and learned concurrency: simulated in virtual time, then once for real; and the cost of one decision. */
export async function benchScheduler(signal: AbortSignal): Promise<Result> {
  const costs = measureCosts();
  const real = await benchReal(signal);
  const { figures, table } = await benchLimits(signal);
  const scenarios = await benchScenarios(signal);
  const decision = [
    ["waiting", "one decision"],
    ...WAITING.map((waiting, index) => [
      waiting.toLocaleString("en-US"),
      `${(costs[index] ?? 0).toFixed(2)} µs`,
    ]),
  ];
  return {
    figures: { ...figures, decision_us_100k_over_10: rounded((costs.at(-1) ?? 0) / (costs[0] ?? 1), 2) },
    tables: {
      scheduler: table,
      "scheduler-changes": scenarios,
      "scheduler-real": real,
      "scheduler-decision": decision,
    },
  };
}

function measureCosts(): number[] {
  // Once for nothing, so that all are measured with compiled code.
  for (const waiting of WAITING) measureDecision(waiting);
  return WAITING.map((waiting) => measureDecision(waiting));
}
