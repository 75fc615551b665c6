// Airflow's own header, grid and logs after a button: they are read anew, without a reload of the page.

// Airflow gives plugins no way to say that its data are old. Its cache (TanStack Query's client) is a property of a
// component above ours: React keeps, on each element, the way up to it. If a later Airflow has no such client there,
// the answer is false, and the page offers a reload instead.
export function refreshAirflow(element) {
  const client = cacheAbove(element);
  if (!client) return false;
  client.invalidateQueries();
  return true;
}

function cacheAbove(element) {
  const key = Object.keys(element ?? {}).find((name) => name.startsWith("__reactFiber$"));
  for (let part = key && element[key]; part; part = part.return) {
    const client = part.memoizedProps?.client;
    if (typeof client?.invalidateQueries === "function") return client;
  }
  return null;
}
