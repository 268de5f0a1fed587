"""What crosses a process boundary: ids, states, errors, and the shapes of REST, guest API and events."""
