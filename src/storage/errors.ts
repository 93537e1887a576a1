/** Another process has the store open. */
export class StoreInUse extends Error {
  override readonly name = "StoreInUse";
}

/** The store cannot be reached, or refuses us. The message says what to check and never holds a password. */
export class StoreUnreachable extends Error {
  override readonly name = "StoreUnreachable";
}

/** Another process has taken over the store while this one had it: whatever this one still wrote would be wrong. */
export class StoreLost extends Error {
  override readonly name = "StoreLost";
}
