// The user that the viewer should have: it can read the votes, and do nothing else.
//
//   mongosh "mongodb://admin@HOST/?authSource=admin" viewer/create-user.js
//
// Without mongosh: `viewer create-user --admin-uri …` does the same.
db.getSiblingDB('votes').createUser({
  user: 'viewer',
  pwd: passwordPrompt(),
  // `read` includes change streams, by which the page follows the log.
  roles: [{ role: 'read', db: 'votes' }],
})
