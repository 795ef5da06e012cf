// Keeps what could not be sent yet: files and what was recorded, in this browser, until the centre has it.
// `takes`: one row a file or recording; `slices`: the parts of a recording, by [take, number]; `shared`: what another
// application handed over. Whatever fails here gives undefined: a browser that keeps nothing still sends.
(() => {
  let opened = null;
  const open = () => new Promise((done, fail) => {
    const asked = indexedDB.open("loa", 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("takes", { keyPath: "id" });
      asked.result.createObjectStore("slices");
      asked.result.createObjectStore("shared");
    };
    asked.onerror = () => fail(asked.error);
    asked.onsuccess = () => done(asked.result);
  });

  async function ask(store, mode, act) {
    try {
      opened ??= open();
      const base = await opened;
      return await new Promise((done, fail) => {
        const work = base.transaction(store, mode);
        const asked = act(work.objectStore(store));
        work.oncomplete = () => done(asked.result);
        work.onabort = () => fail(work.error);
      });
    } catch {
      return undefined;
    }
  }

  const of = (take) => IDBKeyRange.bound([take, 0], [take, Infinity]);
  self.loa ??= {};
  self.loa.store = {
    put: (store, value, key) => ask(store, "readwrite", (rows) => (key === undefined ? rows.put(value) : rows.put(value, key))),
    get: (store, key) => ask(store, "readonly", (rows) => rows.get(key)),
    all: async (store) => (await ask(store, "readonly", (rows) => rows.getAll())) ?? [],
    drop: (store, key) => ask(store, "readwrite", (rows) => rows.delete(key)),
    slices: async (take) => (await ask("slices", "readonly", (rows) => rows.getAll(of(take)))) ?? [],
    // What one person could not send, and what was handed over to nobody else.
    async forgetAll(person) {
      const takes = await self.loa.store.all("takes"), shared = await self.loa.store.get("shared", "shared");
      for (const take of takes) if (take.person === person) await self.loa.store.forget(take.id);
      if (shared && (shared.person ?? person) === person) await self.loa.store.drop("shared", "shared");
    },
    // Removes a take with its parts.
    async forget(take) {
      await ask("takes", "readwrite", (rows) => rows.delete(take));
      await ask("slices", "readwrite", (rows) => rows.delete(of(take)));
    },
  };
})();
