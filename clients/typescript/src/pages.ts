/** A page of a list, and where the next one is. */
export interface Page {
  readonly nextPageToken: string;
}

/** Returns all that an iterable yields; `Array.fromAsync`, which Node 20 lacks. */
export async function collected<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) {
    all.push(each);
  }
  return all;
}

/**
 * Yields pages until there is none left.
 *
 * @param fetch - returns the page behind a token, which is empty for the first one
 */
export async function* pages<P extends Page>(
  fetch: (pageToken: string) => Promise<P>,
): AsyncGenerator<P, undefined> {
  let pageToken = '';
  do {
    const page = await fetch(pageToken);
    yield page;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
}
