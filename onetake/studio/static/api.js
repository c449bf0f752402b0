// Requests to the studio's own server. Its failures become errors whose message says what to do.

const HEADERS = { "X-Onetake-Studio": "1" };

async function request(method, path, body, type) {
  let answer;
  try {
    answer = await fetch(path, { method, body, headers: { ...HEADERS, ...(type && { "Content-Type": type }) } });
  } catch {
    throw new Error("The studio does not answer. If its window was closed, start it again: recorded takes are recovered.");
  }
  const text = await answer.text();
  if (answer.ok) return text ? JSON.parse(text) : null;
  if (!answer.headers.get("Content-Type")?.startsWith("application/json")) throw new Error(text.trim());
  const { error } = JSON.parse(text);
  const failure = new Error(error.hint ? `${error.message}: ${error.hint}` : error.message);
  throw Object.assign(failure, error, { message: failure.message });
}

export const get = (path) => request("GET", path);
export const post = (path, form = {}) => request("POST", path, JSON.stringify(form), "application/json");
export const put = (path, content) => request("PUT", path, content, "application/octet-stream");
export const remove = (path) => request("DELETE", path);
