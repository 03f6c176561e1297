// Exchanges the token for a cookie that no script can read, and takes it out of the address and the history.

const form = document.getElementById('form');
const field = document.getElementById('token');
const wrong = document.getElementById('wrong');

async function exchange(token) {
  let answer;
  try {
    answer = await fetch('/session', { method: 'POST', body: token, headers: { 'Content-Type': 'text/plain' } });
  } catch {
    wrong.textContent = 'The monitor does not answer.';
    return;
  }
  if (answer.ok) {
    location.replace('/' + location.search);
    return;
  }
  wrong.textContent = 'That is not the token of this monitor. Each start makes a new one.';
  field.focus();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  exchange(field.value.trim());
});

function fromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  history.replaceState(null, '', location.pathname + location.search);
  if (token) exchange(token);
}

window.addEventListener('hashchange', fromAddress);
fromAddress();
