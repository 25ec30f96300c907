// Stands in for React's developer tools, which Ink imports when DEV is set and which are not installed.
export default {};
