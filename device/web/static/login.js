"use strict";
// A link on another site led here without the cookie, though there is a session: go on with it.
fetch("/session").then((answer) => {
  if (answer.status !== 401) location.replace("/");
}).catch(() => {});
