//! The call manager: the process that owns a PPTP control connection, and its client.
